# An `allow` of its own: open actions, literals at each position, and itself.
actor User {}
actor Bot extends User {}
resource Doc { permissions = ["read", "write"]; roles = ["r"]; "read" if "r"; }
resource Memo extends Doc {}
declare on_behalf(User, User);
declare trusted(User);
allow(u: User, a: String, d: Doc) if has_permission(u, a, d) and not u matches! Bot;
allow(b: Bot, "read", d: Doc) if trusted(b) and has_permission(b, "read", d);
allow(u: User, a: String, d: Doc) if on_behalf(u, v) and allow(v, a, d);
allow(User{"root"}, _: String, _: Doc);
allow(_: User, "write", Memo{"open"});
#+ has_role(User:u, "r", Doc:d)
#+ has_role(Bot:u, "r", Memo:d)
#+ has_role(Bot:b, "r", Memo:d)
#+ has_role(Bot:b, "r", Memo:open)
#+ trusted(Bot:b)
#+ on_behalf(User:v, User:u)
#+ on_behalf(User:u, Bot:b)
#+ on_behalf(Bot:x, User:root)
#+ on_behalf(User:w, Bot:u)
