# What is denied holds for values of one type; those it is asked about have several.
actor User {}
resource Doc { permissions = ["read"]; }
resource Folder {}
declare mine(User, Resource);
declare near(Resource, Doc);
declare q(Resource);
p(r: Resource) if q(r) and r matches Doc;
has_permission(u: User, "read", d: Doc) if mine(u, x) and near(x, d) and not p(x);
#+ mine(User:u, Folder:a)
#+ mine(User:v, Doc:a)
#+ mine(User:w, Doc:b)
#+ near(Folder:a, Doc:c)
#+ near(Doc:a, Doc:c)
#+ near(Doc:b, Doc:c)
#+ q(Folder:a)
#+ q(Doc:a)
