# A rule that is there twice, in other words.
actor User {}
resource Doc { permissions = ["read"]; }
declare own(User, Doc);
declare near(Doc, Doc);
has_permission(u: User, "read", d: Doc) if own(u, x) and near(x, d);
has_permission(v: User, "read", e: Doc) if near(y, e) and own(v, y);
has_permission(User{"root"}, "read", d: Doc) if near(_, d);
has_permission(User{"root"}, "read", d: Doc) if near(x, d) and not own(_, x);
#+ own(User:u, Doc:a)
#+ near(Doc:a, Doc:b)
#+ near(Doc:b, Doc:c)
