# Along the same links from the actor and from the resource, for other marks.
actor User {}
actor Team { permissions = ["meet"]; }
declare marked(Actor, String);
declare linked(Actor, Actor);
near(one: Actor, "red") if marked(one, "a");
near(one: Actor, "blue") if marked(one, "b");
near(one: Actor, colour: String) if linked(one, other) and near(other, colour);
has_permission(user: User, "meet", team: Team) if near(user, "red") and near(team, "blue");
#+ marked(User:both, "a")
#+ marked(User:both, "b")
#+ marked(Team:b, "b")
#+ linked(User:x, User:both)
#+ linked(Team:y, Team:b)
#+ linked(Team:z, User:x)
