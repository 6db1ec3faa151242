# Rules about every value, asked from inside of recursion and under `not`.
actor User {}
resource Org { roles = ["member"]; }
resource Doc { permissions = ["read", "edit"]; roles = ["viewer"]; relations = { up: Doc, org: Org };
  "viewer" if "member" on "org"; role if role on "up"; "read" if "viewer"; }
declare public(Doc);
declare wide(Org);
declare banned(User);
has_role(_: User, "member", o: Org) if wide(o);
has_role(_: User, "viewer", d: Doc) if public(d);
has_permission(u: User, "edit", d: Doc) if has_role(u, "viewer", d) and not banned(u) and not has_role(u, "viewer", Doc{"top"});
#+ has_relation(Doc:a, "up", Doc:b)
#+ has_relation(Doc:b, "up", Doc:a)
#+ has_relation(Doc:b, "org", Org:o)
#+ has_relation(Doc:c, "up", Doc:top)
#+ has_relation(Doc:d, "org", Org:p)
#+ has_role(User:u, "member", Org:p)
#+ has_role(User:u, "viewer", Doc:top)
#+ wide(Org:o)
#+ public(Doc:c)
#+ banned(User:v)
