# One walk for each team from the same document, and a rule that asks two things of each value on the way.
actor User {}
actor Team {}
resource Doc { permissions = ["read", "edit"]; }
declare in_team(User, Team);
declare holds(Team, Doc);
declare opened(Doc);
declare up(Doc, Doc);
owns(t: Team, d: Doc) if holds(t, d) and opened(d);
owns(t: Team, d: Doc) if up(d, x) and owns(t, x);
has_permission(u: User, "read", d: Doc) if in_team(u, t) and owns(t, d);
has_permission(u: User, "edit", d: Doc) if up(d, x) and in_team(u, t) and owns(t, x) and not opened(d);
#+ in_team(User:u, Team:a)
#+ in_team(User:u, Team:b)
#+ in_team(User:v, Team:a)
#+ holds(Team:a, Doc:top)
#+ holds(Team:b, Doc:over)
#+ up(Doc:low, Doc:mid)
#+ up(Doc:low, Doc:mid2)
#+ up(Doc:mid, Doc:over)
#+ up(Doc:mid2, Doc:over)
#+ up(Doc:over, Doc:top)
#+ up(Doc:top, Doc:mid)
#+ opened(Doc:over)
