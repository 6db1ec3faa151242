# A rule beside a walk whose loop gives another walk its beginning, and is needed for what is looked up as well.
actor User {}
resource Doc { permissions = ["read"]; }
declare edge(Doc, Doc);
declare sub(User, User);
declare boss(User);
declare start(User, User);
declare mark(Doc, User);
up(x: User) if boss(x);
up(x: User) if sub(x, y) and up(y);
way(d: Doc, u: User) if start(u, s) and mark(d, s) and up(s);
way(d: Doc, u: User) if edge(d, e) and way(e, u);
has_permission(u: User, "read", d: Doc) if way(d, u);
#+ boss(User:top)
#+ sub(User:mid, User:top)
#+ sub(User:off, User:none)
#+ start(User:u, User:mid)
#+ start(User:v, User:off)
#+ start(User:w, User:mid)
#+ start(User:w, User:off)
#+ mark(Doc:b, User:mid)
#+ mark(Doc:c, User:off)
#+ edge(Doc:a, Doc:b)
#+ edge(Doc:d, Doc:c)
