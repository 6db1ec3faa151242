# Rules that look contained in one another, though the claim rests on the rule itself or on what is refuted.
actor User {}
resource Doc { permissions = ["read", "edit", "copy", "time"]; }
declare up(Doc, Doc);
declare m(User, Doc);
declare n(User, Doc);
declare until(Doc, Integer);
viewer(u: User, d: Doc) if m(u, d);
viewer(u: User, d: Doc) if up(d, e) and viewer(u, e);
editor(u: User, d: Doc) if n(u, d);
editor(u: User, d: Doc) if up(d, e) and editor(u, e);
has_permission(u: User, "read", d: Doc) if viewer(u, d);
has_permission(u: User, "read", d: Doc) if editor(u, d);
helper(u: User, d: Doc) if m(u, d);
helper(u: User, d: Doc) if up(d, e) and helper(u, e);
helper(u: User, d: Doc) if up(d, e) and boss(u, e);
boss(u: User, d: Doc) if n(u, d);
boss(u: User, d: Doc) if up(d, e) and boss(u, e);
has_permission(u: User, "edit", d: Doc) if helper(u, d);
one(u: User, d: Doc) if m(u, d) and two(u, d);
two(u: User, d: Doc) if n(u, d);
two(u: User, d: Doc) if up(d, e) and one(u, e);
has_permission(u: User, "copy", d: Doc) if one(u, d);
has_permission(u: User, "copy", d: Doc) if two(u, d);
has_permission(u: User, "time", d: Doc) if m(u, d) and until(d, 1);
has_permission(u: User, "time", d: Doc) if m(u, d) and until(d, @current_unix_time);
has_permission(u: User, "time", d: Doc) if n(u, d) and until(d, t) and t > 2;
has_permission(u: User, "time", d: Doc) if n(u, d) and until(d, t) and t > 77;
#+ up(Doc:a, Doc:b)
#+ up(Doc:b, Doc:c)
#+ up(Doc:d, Doc:c)
#+ m(User:u, Doc:c)
#+ n(User:v, Doc:c)
#+ m(User:w, Doc:a)
#+ n(User:w, Doc:a)
#+ m(User:v, Doc:d)
#+ n(User:u, Doc:d)
#+ until(Doc:a, 1)
#+ until(Doc:c, 2)
#+ until(Doc:d, 3)
