# "No pair" is more than "no pair of equals".
actor User {}
resource Doc { permissions = ["read"]; }
declare q(Doc, Doc);
declare mine(User, Doc);
has_permission(u: User, "read", d: Doc) if mine(u, d) and not q(_, _);
has_permission(u: User, "read", d: Doc) if mine(u, d) and not q(w, w);
#+ mine(User:u, Doc:a)
#+ q(Doc:b, Doc:a)
