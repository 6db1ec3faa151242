# One predicate with two types at a position: a walk through teams never passes through an organization.
actor User {}
actor Team {}
resource Organization {}
resource Doc { permissions = ["read", "write"]; }
declare has_group(User, Team);
declare has_group(User, Organization);
declare has_group(Team, Team);
declare has_group(Team, Organization);
declare has_group(Organization, Team);
declare sees(Team, Doc);
in_group(x: Actor, g: Team) if has_group(x, g) and g matches Team;
in_group(x: Actor, g: Team) if has_group(x, y) and y matches Team and in_group(y, g);
has_permission(u: Actor, "read", d: Doc) if in_group(u, t) and sees(t, d);
has_permission(u: Actor, "write", d: Doc) if has_group(u, g) and sees(t, d) and not g matches Organization;
#+ has_group(User:u, Organization:o)
#+ has_group(Organization:o, Team:t)
#+ has_group(User:v, Team:s)
#+ has_group(Team:s, Team:t)
#+ has_group(Team:t, Team:o)
#+ sees(Team:t, Doc:d)
#+ sees(Team:o, Doc:e)
