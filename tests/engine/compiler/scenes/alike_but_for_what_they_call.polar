# Relations that differ only in whom they ask, literals that differ only in type, names taken twice.
actor User {}
actor Team {}
resource Doc { permissions = ["read", "edit"]; }
declare r(User, Doc);
declare s(User, Doc);
declare up(Doc, Doc);
one(u: User, d: Doc) if r(u, d) and up(d, x) and up(x, y) and up(y, _);
one(u: User, d: Doc) if up(d, z) and one(u, z) and one(u, z);
two(u: User, d: Doc) if s(u, d) and up(d, x) and up(x, y) and up(y, _);
two(u: User, d: Doc) if up(d, z) and two(u, z) and one(u, z);
pick(u: User, "one", d: Doc) if one(u, d);
pick(u: User, "two", d: Doc) if two(u, d);
has_permission(u: User, "read", d: Doc) if pick(u, "one", d);
has_permission(u: User, "edit", d: Doc) if pick(u, "two", d);
has_permission(u: User, "edit", d: Doc) if not (pick(u, "one", d) and not pick(u, "two", d)) and r(u, d);
#+ up(Doc:a, Doc:b)
#+ up(Doc:b, Doc:c)
#+ up(Doc:c, Doc:d)
#+ up(Doc:d, Doc:a)
#+ r(User:u, Doc:d)
#+ s(User:u, Doc:b)
#+ s(User:v, Doc:a)
#+ r(User:w, Doc:c)
