# Lists of actions, of actors and of resources where facts decide which actions there are, and one type acts on itself.
actor User {}
declare on(User);
declare unwilling(User, String);
declare told(User, String);
allow(u: User, a: String, v: User) if on(u) and a != "hurt" and not a in ["harm", "pain"] and not unwilling(u, a) and u != v;
allow(u: User, a: String, v: User) if told(u, a) and not on(v);
#+ on(User:u)
#+ on(User:v)
#+ unwilling(User:u, "read")
#+ told(User:w, "write")
#+ told(User:u, "harm")
