# Lists in which answers lead to answers, for many values at once, and not for all of these alike.
actor User {}
actor Group {}
resource Folder { permissions = ["read"]; roles = ["viewer"]; relations = { parent: Folder }; role if role on "parent"; "read" if "viewer"; }
resource Doc { permissions = ["read", "edit", "copy", "move"]; roles = ["viewer"]; relations = { folder: Folder }; "read" if "viewer"; "viewer" if "viewer" on "folder"; }
declare member(Actor, Group);
declare friend(User, User);
declare near(User, Doc, Doc);
declare start(User, Doc);
declare link(Doc, Doc);
declare tag(Doc, String);
has_role(a: Actor, role: String, r: Resource) if member(a, g) and has_role(g, role, r);
way(u: User, d: Doc) if start(u, d);
way(u: User, d: Doc) if friend(u, v) and way(v, d);
way(u: User, d: Doc) if way(u, p) and near(u, p, d);
path(u: User, d: Doc) if start(u, d);
path(u: User, d: Doc) if friend(u, v) and path(v, d);
path(u: User, d: Doc) if path(u, p) and link(p, d) and not tag(d, "end");
pairs(u: User, x: Doc, y: Doc) if start(u, x) and link(x, y);
pairs(u: User, x: Doc, y: Doc) if pairs(u, y, x);
has_permission(u: User, "edit", d: Doc) if way(u, d);
has_permission(u: User, "copy", d: Doc) if path(u, d);
has_permission(u: User, "copy", d: Doc) if friend(u, v) and path(v, p) and link(p, d) and tag(p, t) and tag(d, t);
has_permission(u: User, "move", d: Doc) if pairs(u, _, d);
#+ member(User:u, Group:a)
#+ member(Group:a, Group:b)
#+ member(Group:b, Group:a)
#+ member(Group:b, Group:c)
#+ member(User:v, Group:c)
#+ has_role(Group:c, "viewer", Folder:f)
#+ has_role(Group:a, "viewer", Doc:d)
#+ has_role(User:v, "viewer", Folder:g)
#+ has_relation(Folder:g, "parent", Folder:f)
#+ has_relation(Folder:f, "parent", Folder:h)
#+ has_relation(Folder:h, "parent", Folder:g)
#+ has_relation(Doc:a, "folder", Folder:g)
#+ has_relation(Doc:b, "folder", Folder:h)
#+ friend(User:u, User:v)
#+ friend(User:v, User:w)
#+ friend(User:w, User:u)
#+ start(User:w, Doc:a)
#+ start(User:x, Doc:c)
#+ near(User:u, Doc:a, Doc:b)
#+ near(User:v, Doc:b, Doc:c)
#+ near(User:w, Doc:a, Doc:d)
#+ link(Doc:a, Doc:b)
#+ link(Doc:b, Doc:c)
#+ link(Doc:c, Doc:d)
#+ link(Doc:d, Doc:a)
#+ tag(Doc:d, "end")
#+ tag(Doc:b, "red")
#+ tag(Doc:c, "red")
#+ tag(Doc:c, "end")
#+ link(Doc:c, Doc:f)
#+ link(Doc:f, Doc:g)
