# Types with subtypes, abstract types, `matches` and `matches!` on values that come from facts.
actor User {}
actor Team {}
resource Doc { permissions = ["read", "write"]; relations = { up: Resource }; }
resource Memo extends Doc {}
resource Note extends Memo {}
resource Folder { permissions = ["read"]; relations = { up: Folder }; }
declare near(Resource, Resource);
declare mine(Actor, Resource);
has_permission(a: Actor, "read", r: Resource) if mine(a, x) and above(x, r);
above(x: Resource, x) if x matches Doc;
above(x: Resource, r: Resource) if has_relation(r, "up", x);
above(x: Resource, r: Resource) if near(y, r) and y matches Memo and above(x, y);
has_permission(a: Actor, "write", d: Doc) if mine(a, d) and near(d, x) and not x matches! Doc and not a matches Team;
has_permission(a: Actor, "write", d: Doc) if d matches! Memo and mine(a, d);
#+ mine(User:u, Doc:a)
#+ mine(User:u, Folder:a)
#+ mine(Team:u, Memo:b)
#+ mine(Team:t, Note:c)
#+ mine(User:v, Note:a)
#+ has_relation(Doc:a, "up", Folder:a)
#+ has_relation(Memo:b, "up", Note:c)
#+ has_relation(Folder:b, "up", Folder:a)
#+ near(Memo:b, Doc:d)
#+ near(Doc:d, Doc:a)
#+ near(Note:a, Memo:b)
#+ near(Note:a, Folder:a)
#+ near(Doc:a, Note:c)
