# Who may do what with repositories: organizations, nested teams, roles on repositories.

actor User {}

# A group of users, and of other teams. A team holds roles as a user does.
actor Team {}

resource Organization {
  roles = ["owner", "member"];
  permissions = ["read", "create_repository", "manage"];

  "member" if "owner";

  "read" if "member";
  "create_repository" if "member";
  "manage" if "owner";
}

# Each role includes the ones below it.
resource Repository {
  roles = ["reader", "triager", "writer", "maintainer", "admin"];
  permissions = ["read", "triage", "write", "maintain", "delete"];
  relations = { organization: Organization };

  "maintainer" if "admin";
  "writer" if "maintainer";
  "triager" if "writer";
  "reader" if "triager";

  "admin" if "owner" on "organization";

  "read" if "reader";
  "triage" if "triager";
  "write" if "writer";
  "maintain" if "maintainer";
  "delete" if "admin";
}

# A user is in a team, or in a team inside of it, however deep.
in_team(user: User, team: Team) if
  has_member(team, user);
in_team(user: User, team: Team) if
  inner matches Team and
  has_member(team, inner) and
  in_team(user, inner);

# What a team holds, its users hold.
has_role(user: User, role: String, repository: Repository) if
  team matches Team and
  in_team(user, team) and
  has_role(team, role, repository);

# Everybody may read a public repository.
has_permission(_: User, "read", repository: Repository) if
  is_public(repository);

# Nothing is written to an archived repository; reading and deleting it goes on.
allow(actor: User, action: String, resource: Resource) if
  has_permission(actor, action, resource) and
  not is_frozen(action, resource);

is_frozen(action: String, repository: Repository) if
  is_archived(repository) and
  action in ["triage", "write", "maintain"];
