# Lists of all values but some: denials, inequations, alternatives and recursion about a value that nothing limits.
actor User {}
resource Doc { permissions = ["read", "edit", "copy", "see", "keep"]; roles = ["viewer"]; "read" if "viewer"; }
declare open(Doc);
declare banned(User, Doc);
declare link(Doc, Doc);
declare on(User);
hidden(d: Doc) if link(_, d);
far(u: User, d: Doc) if on(u) and not banned(u, d) and not d = Doc{"b"};
far(u: User, d: Doc) if far(u, d) and not hidden(d);
has_permission(u: User, "read", d: Doc) if open(d) and not banned(u, d);
has_permission(u: User, "read", d: Doc) if on(u) and not hidden(d) and not d in [Doc{"a"}, Doc{"z"}];
has_permission(u: User, "edit", d: Doc) if far(u, d) and u != User{"w"};
has_permission(u: User, "copy", d: Doc) if banned(u, x) and d != x and (d = x or on(u)) and not open(d);
has_permission(u: User, "see", d: Doc) if on(u) and x matches Doc and (x = d or x = Doc{"a"}) and not banned(u, x) and (open(x) or not hidden(x));
has_permission(u: User, "keep", d: Doc) if on(u) and not far(u, d);
allow(u: User, a: String, v: User) if on(u) and not a = "hurt" and not link2(u, a) and u != v;
declare link2(User, String);
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
#+ link2(User:u, "read")
#+ kept(User:u, Doc:c)
#+ kept(User:u, Doc:f)
#+ kept(User:x, Doc:f)
#+ has_role(User:x, "viewer", Doc:e)
