# Rules like those of a loop, and one more, or one less.
actor User {}
actor Team {}
resource Doc { permissions = ["read", "edit", "copy"]; }
declare member(Actor, Actor);
declare extra(Actor, Doc);
declare begins(Actor, Doc);
declare knows(User, Actor);
has(x: Actor, d: Doc) if begins(x, d);
has(x: Actor, d: Doc) if member(x, t) and has(t, d);
has_permission(u: User, "read", d: Doc) if has(u, d);
has_permission(u: User, "edit", d: Doc) if has(u, d);
has_permission(u: User, "edit", d: Doc) if extra(u, d);
has_permission(u: User, "copy", d: Doc) if begins(u, d);
has_permission(u: User, "copy", d: Doc) if knows(u, v) and has(v, d);
#+ begins(User:u, Doc:a)
#+ begins(Team:s, Doc:b)
#+ member(User:u, Team:t)
#+ member(Team:t, User:q)
#+ member(User:q, Team:s)
#+ extra(User:w, Doc:c)
#+ extra(User:q, Doc:c)
#+ knows(User:w, User:u)
