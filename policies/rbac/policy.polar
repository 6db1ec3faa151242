# An issue tracker: who may do what with an organization and its projects.

# People who sign in.
actor User {}

# A role here is a role for the whole company.
resource Organization {
  roles = ["owner", "manager", "member"];
  permissions = ["read", "invite", "project.create", "delete"];

  # Each role includes the weaker one.
  "manager" if "owner";
  "member" if "manager";

  # What each role may do is said once, for the weakest role that may.
  "read" if "member";
  # Creating is asked on the organization: the new project does not exist yet.
  "project.create" if "member";
  "invite" if "manager";
  "delete" if "owner";
}

# A role here counts for one project only.
resource Project {
  roles = ["lead", "developer", "reporter"];
  permissions = ["read", "issue.create", "issue.close", "configure"];
  relations = { organization: Organization };

  "developer" if "lead";
  "reporter" if "developer";

  # A role on the organization gives a role on each of its projects.
  "lead" if "manager" on "organization";
  "reporter" if "member" on "organization";

  "read" if "reporter";
  "issue.create" if "reporter";
  "issue.close" if "developer";
  "configure" if "lead";
}
