# Permissions of two names, alike but for a third one in each.
actor User {}
resource Doc { permissions = ["one", "two", "read", "edit", "p", "q"]; relations = { up: Doc, x: User, y: User, m: User };
  "one" if "x"; "one" if "one" on "up"; "two" if "y"; "two" if "two" on "up"; }
has_permission(u: User, "p", d: Doc) if has_relation(d, "up", x) and has_relation(x, "m", u) and has_permission(u, "one", x);
has_permission(u: User, "p", d: Doc) if has_relation(x, "up", d) and has_relation(x, "m", u) and has_permission(u, "one", d);
has_permission(u: User, "q", d: Doc) if has_relation(d, "up", x) and has_relation(x, "m", u) and has_permission(u, "two", x);
has_permission(u: User, "q", d: Doc) if has_relation(x, "up", d) and has_relation(x, "m", u) and has_permission(u, "two", d);
has_permission(u: User, "read", d: Doc) if has_relation(d, "m", u) and has_permission(u, "p", d) and not has_permission(u, "q", d);
has_permission(u: User, "edit", d: Doc) if has_relation(d, "m", u) and has_permission(u, "p", d) and has_relation(d, "up", x) and has_permission(u, "q", x);
#+ has_relation(Doc:a, "up", Doc:b)
#+ has_relation(Doc:b, "up", Doc:c)
#+ has_relation(Doc:d, "up", Doc:c)
#+ has_relation(Doc:a, "m", User:u)
#+ has_relation(Doc:b, "m", User:u)
#+ has_relation(Doc:c, "m", User:u)
#+ has_relation(Doc:b, "m", User:v)
#+ has_relation(Doc:c, "m", User:v)
#+ has_relation(Doc:b, "x", User:u)
#+ has_relation(Doc:c, "y", User:v)
#+ has_relation(Doc:c, "x", User:v)
