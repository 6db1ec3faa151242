# One name with several numbers of arguments, none among them.
actor User {}
resource Doc { permissions = ["read", "edit"]; }
declare a(User);
declare a(User, Doc);
declare a(User, Doc, Doc);
opened() if a(User{"x"}) and not shut();
opened() if a(_, _) and not a(_, Doc{"shut"});
shut() if a(_);
shut() if a(_, d, d);
has_permission(u: User, "read", d: Doc) if opened() and a(u, d);
has_permission(u: User, "edit", d: Doc) if not opened() and a(u, d);
has_permission(u: User, "edit", d: Doc) if shut() and a(u, d, d);
#+ a(User:u, Doc:d)
#+ a(User:v, Doc:d, Doc:d)
#+ a(User:v, Doc:d, Doc:e)
#+ a(User:x)
