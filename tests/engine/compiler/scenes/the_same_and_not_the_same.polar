# Actors and resources of one type: a value that no fact knows is itself, and no other one.
actor User { permissions = ["be", "see"]; }
has_permission(u: User, "be", u);
has_permission(u: User, "see", v: User) if u != v;
