# A loop is asked for by a relation that goes on in the same way, or seems to.
actor User {}
actor Team {}
resource Doc { permissions = ["same", "other", "also", "step", "chain", "stays"]; }
declare of(User, Team);
declare holds(Team, Doc);
declare inside(Doc, Doc);
declare wards(Team, Doc);
declare open(Doc);
declare next(Team, Team);
declare pal(Team, Team);
declare back(Team);
team(t: Team, x: Doc) if holds(t, x);
team(t: Team, x: Doc) if wards(t, x);
team(t: Team, x: Doc) if inside(x, y) and team(t, y);
far(t: Team, s: Team) if next(t, s);
far(t: Team, s: Team) if far(t, x) and far(x, s);
stay(t: Team, s: Team) if next(t, s);
stay(t: Team, s: Team) if back(s) and stay(t, t);
same(u: User, x: Doc) if of(u, t) and team(t, x);
same(u: User, x: Doc) if inside(x, y) and same(u, y);
other(u: User, x: Doc) if of(u, t) and team(t, x);
other(u: User, x: Doc) if inside(x, y) and open(y) and other(u, y);
also(u: User, x: Doc) if of(u, t) and team(t, x) and open(x);
also(u: User, x: Doc) if inside(x, y) and also(u, y);
step(u: User, t: Team) if of(u, s) and far(s, t);
chain(u: User, t: Team) if of(u, t);
chain(u: User, t: Team) if chain(u, s) and far(s, t);
stays(t: Team, s: Team) if pal(t, x) and stay(x, s);
stays(t: Team, s: Team) if back(s) and stays(t, t);
has_permission(u: User, "same", d: Doc) if same(u, d);
has_permission(u: User, "other", d: Doc) if other(u, d);
has_permission(u: User, "also", d: Doc) if also(u, d);
has_permission(u: User, "step", d: Doc) if step(u, t) and holds(t, d);
has_permission(u: User, "chain", d: Doc) if chain(u, t) and holds(t, d);
has_permission(u: User, "stays", d: Doc) if of(u, t) and stays(t, s) and holds(s, d);
#+ of(User:u, Team:a)
#+ holds(Team:a, Doc:c)
#+ inside(Doc:a, Doc:b)
#+ inside(Doc:b, Doc:c)
#+ open(Doc:b)
#+ next(Team:a, Team:b)
#+ next(Team:b, Team:c)
#+ holds(Team:c, Doc:d)
#+ pal(Team:a, Team:e)
#+ next(Team:e, Team:e)
#+ back(Team:f)
#+ holds(Team:f, Doc:e)
#+ of(User:v, Team:d)
#+ wards(Team:d, Doc:c)
