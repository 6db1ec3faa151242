# What is denied has values of its own that no fact binds.
actor User {}
resource Doc { permissions = ["read", "edit"]; }
declare a(User, Doc);
some(_: Doc, y: String) if y in ["x", "y"];
one(_: Doc, y: String) if y = "x";
has_permission(u: User, "read", d: Doc) if a(u, d) and not x in ["x", "y"];
has_permission(u: User, "read", d: Doc) if a(u, d) and not some(d, _);
has_permission(u: User, "edit", d: Doc) if a(u, d) and not not one(d, _);
has_permission(u: User, "edit", d: Doc) if a(u, d) and not one(d, _);
#+ a(User:u, Doc:d)
#+ a(User:v, Doc:e)
