# Walks from the actor and from the resource, along the same links, to marks that differ in one literal.
actor User {}
actor Team { permissions = ["meet"]; }
declare marked(Actor, String);
declare linked(User, User);
declare linked(Team, Team);
near(u: User) if marked(u, "a");
near(u: User) if marked(u, "b");
near(u: User) if linked(u, v) and near(v);
near(t: Team) if marked(t, "a");
near(t: Team) if marked(t, "c");
near(t: Team) if linked(t, v) and near(v);
has_permission(u: User, "meet", t: Team) if near(u) and near(t);
#+ marked(User:a, "a")
#+ marked(User:b, "b")
#+ marked(User:c, "c")
#+ linked(User:x, User:a)
#+ linked(User:y, User:c)
#+ marked(Team:a, "a")
#+ marked(Team:b, "b")
#+ marked(Team:c, "c")
#+ linked(Team:x, Team:c)
#+ linked(Team:y, Team:b)
