# Lists of all values but some: denials, inequations, alternatives and recursion about a value that nothing limits.
actor User {}
resource Doc { permissions = ["read", "edit", "copy", "see", "keep"]; roles = ["viewer"]; "read" if "viewer"; }
declare open(Doc);
declare banned(User, Doc);
declare link(Doc, Doc);
declare on(User);
hidden(d: Doc) if link(_, d);
far(u: User, d: Doc) if on(u) and not banned(u, d) and not d = Doc{"b"};
far(u: User, d: Doc) if friend(u, v) and far(v, d) and not hidden(d);
declare friend(User, User);
has_permission(u: User, "read", d: Doc) if open(d) and not banned(u, d);
has_permission(u: User, "read", d: Doc) if on(u) and not hidden(d) and not d in [Doc{"a"}, Doc{"z"}];
has_permission(u: User, "edit", d: Doc) if far(u, d) and u != User{"w"};
has_permission(u: User, "copy", d: Doc) if banned(u, x) and d != x and (d = x or on(u)) and not open(d);
has_permission(u: User, "see", d: Doc) if x matches Doc and (x = d or x = Doc{"b"}) and not banned(u, x) and not open(x);
has_permission(u: User, "keep", d: Doc) if on(u) and not far(u, d);
declare kept(User, Doc);
has_permission(u: User, "keep", d: Doc) if kept(u, d) and not open(d);
#+ open(Doc:a)
#+ open(Doc:c)
#+ banned(User:u, Doc:a)
#+ banned(User:v, Doc:b)
#+ banned(User:v, Doc:d)
#+ link(Doc:a, Doc:d)
#+ link(Doc:d, Doc:e)
#+ on(User:u)
#+ on(User:v)
#+ on(User:w)
#+ kept(User:u, Doc:c)
#+ kept(User:u, Doc:f)
#+ kept(User:x, Doc:f)
#+ has_role(User:x, "viewer", Doc:e)
#+ friend(User:x, User:y)
#+ friend(User:y, User:u)
#+ friend(User:u, User:x)
