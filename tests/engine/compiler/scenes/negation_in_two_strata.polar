# What never holds may be denied; what holds by way of a denial holds.
actor User {}
resource Doc { permissions = ["read", "edit", "copy"]; }
declare a(User, Doc);
declare b(User, Doc);
declare up(Doc, Doc);
barred(u: User, d: Doc) if up(d, e) and barred(u, e);
blocked(u: User, d: Doc) if b(u, d);
blocked(u: User, d: Doc) if up(d, e) and blocked(u, e);
free(u: User, d: Doc) if a(u, d) and not blocked(u, d);
free(u: User, d: Doc) if up(d, e) and free(u, e) and not blocked(u, d);
has_permission(u: User, "read", d: Doc) if a(u, d) and not barred(u, d);
has_permission(u: User, "edit", d: Doc) if free(u, d);
has_permission(u: User, "copy", d: Doc) if a(u, d) and not free(u, d) and not barred(u, d);
#+ up(Doc:a, Doc:b)
#+ up(Doc:b, Doc:c)
#+ up(Doc:c, Doc:a)
#+ up(Doc:d, Doc:b)
#+ up(Doc:e, Doc:f)
#+ a(User:u, Doc:f)
#+ a(User:u, Doc:b)
#+ a(User:v, Doc:d)
#+ a(User:v, Doc:f)
#+ b(User:u, Doc:c)
#+ b(User:v, Doc:e)
