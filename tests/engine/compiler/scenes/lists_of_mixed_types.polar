# Lists whose values are of several types, known and unknown, and denied.
actor User {}
actor Team {}
resource Doc { permissions = ["read", "write"]; }
resource Folder { permissions = ["read"]; }
declare t(Actor, Resource);
m(x, y) if x in [User{"u"}, Team{"t"}, Doc{"d"}] and t(x, y) and y in [Doc{"d"}, Folder{"f"}, Doc{"e"}];
n(x: Actor, y: Doc) if t(_, y) and x in [User{"u"}, User{"v"}];
allow(x: Actor, "read", y: Resource) if m(x, y);
allow(x: Actor, "read", y: Doc) if not x in [User{"u"}, Team{"z"}] and not y in [Doc{"d"}] and t(x, y);
allow(x: Actor, "write", y: Doc) if n(z, y) and t(z, y) and t(x, _) and z in [User{"v"}, Team{"v"}, User{"w"}];
#+ t(User:u, Doc:d)
#+ t(Team:t, Folder:f)
#+ t(User:t, Folder:f)
#+ t(Team:t, Doc:e)
#+ t(Team:z, Doc:e)
#+ t(Team:q, Doc:e)
#+ t(User:v, Doc:e)
#+ t(User:w, Doc:d)
#+ t(User:u, Folder:e)
