# A walk that goes on to an argument that does not change, or to the time: what it reaches is different each time.
actor User {}
resource Doc { permissions = ["read", "edit"]; }
declare edge(Doc, Doc);
declare flag(Doc);
declare start(User, Doc);
declare at(Doc, Integer);
declare big(Integer);
declare level(User, Integer);
reach(x: Doc, y: Doc) if edge(x, y);
reach(x: Doc, y: Doc) if edge(x, z) and reach(z, y);
reach(x: Doc, y: Doc) if flag(x) and reach(y, y);
has_permission(u: User, "read", d: Doc) if start(u, s) and reach(s, d);
lim(n: Integer, d: Doc) if at(d, n);
lim(n: Integer, d: Doc) if big(n) and lim(@current_unix_time, d);
has_permission(u: User, "edit", d: Doc) if level(u, n) and lim(n, d);
#+ start(User:u, Doc:a)
#+ flag(Doc:a)
#+ edge(Doc:b, Doc:c)
#+ edge(Doc:d, Doc:d)
#+ level(User:u, 1)
#+ level(User:v, 3)
#+ big(1)
#+ at(Doc:a, 2)
#+ at(Doc:b, 3)
