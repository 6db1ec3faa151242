# A permission that only follows from itself never holds, so denying it says nothing.
actor User {}
resource Doc { permissions = ["read", "edit", "copy", "vain", "odd", "even"]; relations = { up: Doc };
  "vain" if "vain" on "up"; "odd" if "even" on "up"; "even" if "odd" on "up"; "edit" if "read" on "up"; "copy" if "odd" or "vain"; }
declare mine(User, Doc);
has_permission(u: User, "read", d: Doc) if mine(u, d) and not has_permission(u, "vain", d) and not has_permission(u, "even", d);
has_permission(u: User, "copy", d: Doc) if has_permission(u, "read", d) and not has_permission(u, "edit", d);
#+ mine(User:u, Doc:a)
#+ mine(User:v, Doc:b)
#+ has_relation(Doc:b, "up", Doc:a)
#+ has_relation(Doc:c, "up", Doc:b)
#+ has_relation(Doc:a, "up", Doc:a)
