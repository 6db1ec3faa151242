# Roles and actions that facts name flow through recursion; actions nobody declared are asked for.
actor User {}
actor Team {}
resource Doc {
  permissions = ["read", "write"]; roles = ["r", "w"]; relations = { up: Doc, own: User };
  "read" if "r"; role if role on "up"; permission if permission on "up"; "write" if "w"; "r" if "w" on "up";
}
declare has_permission(User, String, Doc);
declare grant(User, String, Doc);
declare link(Doc, Doc);
declare same(String, String);
declare names(Team, String);
has_permission(u: User, a: String, d: Doc) if grant(u, a, e) and link(e, d) and has_permission(u, "read", e);
has_permission(u: User, a: String, d: Doc) if same(a, b) and has_permission(u, b, d);
has_role(t: Team, role: String, d: Doc) if names(t, role) and link(_, d);
#+ has_role(User:u, "w", Doc:a)
#+ has_relation(Doc:b, "up", Doc:a)
#+ has_relation(Doc:a, "up", Doc:b)
#+ grant(User:u, "nothing", Doc:b)
#+ link(Doc:b, Doc:c)
#+ same("read", "nothing")
#+ has_permission(User:v, "x", Doc:c)
#+ same("write", "x")
#+ same("nothing", "write")
#+ names(Team:t, "w")
#+ names(Team:s, "x")
