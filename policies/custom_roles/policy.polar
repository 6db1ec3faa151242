# A customer relationship tool: each organization makes up its own roles.
# So the roles are data. The policy knows no role by name, only what a role is.

actor User {}

# A role that somebody has created. It is an actor, because it is granted things.
actor Role {
  permissions = ["edit", "delete"];
  relations = { organization: Organization };

  "edit" if "admin" on "organization";
  # The roles that the product ships with cannot be deleted.
  "delete" if "admin" on "organization" and is_custom(resource);
}

resource Organization {
  # The one role that must exist from the start: somebody has to create the others.
  roles = ["admin"];
  permissions = ["manage_roles", "contact.read", "contact.write", "contact.export"];

  "manage_roles" if "admin";
  permission if "admin" and is_contact_permission(permission);
}

# What roles can be about.
is_contact_permission("contact.read");
is_contact_permission("contact.write");
is_contact_permission("contact.export");

# A user has what a role grants, if the user has been given the role in an organization
# and the role belongs to this very organization. The second argument of `has_role`
# is a role here and no name in quotes.
has_permission(user: User, permission: String, organization: Organization) if
  role matches Role and
  has_role(user, role, organization) and
  has_relation(role, "organization", organization) and
  grants_permission(role, permission) and
  is_contact_permission(permission);

resource Contact {
  permissions = ["read", "write"];
  relations = { organization: Organization };

  "read" if "contact.read" on "organization";
  "write" if "contact.write" on "organization";
}
