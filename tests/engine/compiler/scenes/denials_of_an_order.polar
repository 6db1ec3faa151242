# What is not smaller is equal or larger.
actor User {}
resource Doc { permissions = ["read", "edit", "copy", "sell"]; }
declare m(Doc, Integer);
declare k(User, Doc);
has_permission(u: User, "read", d: Doc) if k(u, d) and m(d, n) and not n < 2;
has_permission(u: User, "edit", d: Doc) if k(u, d) and m(d, n) and not n <= 2;
has_permission(u: User, "copy", d: Doc) if k(u, d) and m(d, n) and not n > @current_unix_time;
has_permission(u: User, "sell", d: Doc) if k(u, d) and m(d, n) and m(_, j) and not n >= j;
#+ k(User:u, Doc:a)
#+ k(User:u, Doc:b)
#+ k(User:u, Doc:c)
#+ m(Doc:a, -1)
#+ m(Doc:b, 2)
#+ m(Doc:c, 3)
