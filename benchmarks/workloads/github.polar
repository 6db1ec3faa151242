# Repositories of organizations, with roles that users, teams and organizations hold.

actor User {}

actor Team {}

# Organizations hold roles on organizations, and whoever is in one holds what it holds.
actor Organization {
  roles = ["reader", "writer", "admin"];
}

resource Repository {
  roles = ["reader", "triager", "writer", "maintainer", "admin"];
  permissions = ["read", "triage", "write", "maintain", "admin_repository"];
  relations = { owner: Organization };

  "admin_repository" if "admin" or "admin" on "owner";
  "maintain" if "maintainer" or "admin_repository";
  "write" if "writer" or "maintain" or "writer" on "owner";
  "triage" if "triager" or "write";
  "read" if "reader" or "triage" or "reader" on "owner";
}

# Whoever is in a team or an organization holds what it holds, and so do the members of teams inside of it.
has_role(member: Actor, role: String, repository: Repository) if
  has_group(member, group) and
  has_role(group, role, repository);

has_role(member: Actor, role: String, organization: Organization) if
  has_group(member, group) and
  has_role(group, role, organization);
