# A rule about every user is reached with values of other types: these are not meant.
actor User {}
actor Team {}
actor Bot {}
resource Doc { permissions = ["read", "write"]; }
declare holds(Actor, Doc);
declare kept(Doc, Actor);
open_to(_: User, d: Doc) if public(d);
open_to(b: Bot, d: Doc) if holds(b, d);
has_permission(a: Actor, "read", d: Doc) if kept(d, b) and open_to(b, d) and holds(a, d);
has_permission(a: Actor, "write", d: Doc) if holds(a, d) and not open_to(a, d);
declare public(Doc);
#+ kept(Doc:d, Team:t)
#+ kept(Doc:e, User:u)
#+ public(Doc:d)
#+ public(Doc:e)
#+ holds(User:u, Doc:d)
#+ holds(User:u, Doc:f)
#+ holds(Team:u, Doc:e)
#+ holds(Bot:u, Doc:d)
#+ holds(Team:t, Doc:d)
