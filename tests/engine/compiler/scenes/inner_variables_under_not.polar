# "Nobody" is more than "not this one".
actor User {}
resource Doc { permissions = ["edit", "copy", "sell"]; }
declare q(Doc, Doc);
declare mine(User, Doc);
declare likes(User, Doc);
has_permission(u: User, "edit", d: Doc) if mine(u, d) and not q(d, _);
has_permission(u: User, "edit", d: Doc) if mine(u, d) and not q(d, d);
has_permission(u: User, "copy", d: Doc) if mine(u, d) and not likes(_, d);
has_permission(u: User, "copy", d: Doc) if mine(u, d) and not likes(u, d);
has_permission(u: User, "sell", d: Doc) if mine(u, d) and not likes(u, _);
has_permission(u: User, "sell", d: Doc) if mine(u, d) and mine(v, d) and not likes(v, d);
#+ mine(User:u, Doc:a)
#+ mine(User:u, Doc:b)
#+ mine(User:v, Doc:b)
#+ mine(User:v, Doc:c)
#+ q(Doc:b, Doc:a)
#+ q(Doc:a, Doc:c)
#+ likes(User:u, Doc:b)
#+ likes(User:w, Doc:a)
