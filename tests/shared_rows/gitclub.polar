# Row: gitclub. The well-known small code host: organizations, repositories, issues, and an owner of the site.

actor User {}

global {
  roles = ["site_owner"];
}

resource Organization {
  roles = ["owner", "member"];
  permissions = ["read", "add_member", "create_repository", "list_repositories"];

  "member" if "owner";
  "owner" if global "site_owner";

  "read" if "member";
  "list_repositories" if "member";
  "add_member" if "owner";
  "create_repository" if "owner";
}

resource Repository {
  roles = ["admin", "maintainer", "reader"];
  permissions = ["read", "create_issue", "list_issues", "delete"];
  relations = { organization: Organization };

  "admin" if "owner" on "organization";
  "reader" if "member" on "organization";
  "maintainer" if "admin";
  "reader" if "maintainer";

  "read" if "reader";
  "list_issues" if "reader";
  "create_issue" if "maintainer";
  "delete" if "admin";
}

resource Issue {
  permissions = ["read", "close"];
  relations = { repository: Repository, creator: User };

  "read" if "read" on "repository";
  "close" if "maintainer" on "repository" or "creator";
}

# Reading a repository is open to all if its organization says so.
has_permission(_: User, "read", repository: Repository) if
  organization matches Organization and
  has_relation(repository, "organization", organization) and
  is_open_source(organization);

test fixture site {
  has_relation(Repository{"ship"}, "organization", Organization{"navy"});
  has_relation(Issue{"leak"}, "repository", Repository{"ship"});
  has_relation(Issue{"leak"}, "creator", User{"cook"});
  has_role(User{"admiral"}, "owner", Organization{"navy"});
  has_role(User{"sailor"}, "member", Organization{"navy"});
  has_role(User{"bosun"}, "maintainer", Repository{"ship"});
  has_role(User{"root"}, "site_owner");
}

test "organizations" {
  setup { fixture site; }
  assert allow(User{"admiral"}, action: String, Organization{"navy"})
    iff action in ["read", "add_member", "create_repository", "list_repositories"];
  assert allow(User{"sailor"}, action: String, Organization{"navy"})
    iff action in ["read", "list_repositories"];
  assert allow(User{"admiral"}, "add_member", Organization{"navy"});
  assert allow(User{"root"}, "create_repository", Organization{"unheard-of"});
  assert_not allow(User{"sailor"}, "add_member", Organization{"navy"});
  assert_not allow(User{"bosun"}, "read", Organization{"navy"});
}

test "repositories" {
  setup { fixture site; }
  assert allow(User{"admiral"}, action: String, Repository{"ship"})
    iff action in ["read", "create_issue", "list_issues", "delete"];
  assert allow(User{"bosun"}, action: String, Repository{"ship"})
    iff action in ["read", "create_issue", "list_issues"];
  assert allow(User{"sailor"}, action: String, Repository{"ship"})
    iff action in ["read", "list_issues"];
  assert allow(User{"root"}, "delete", Repository{"ship"});
  assert_not allow(User{"bosun"}, "delete", Repository{"ship"});
  assert_not allow(User{"cook"}, "read", Repository{"ship"});
}

test "issues" {
  setup { fixture site; }
  assert allow(user: User, "close", Issue{"leak"})
    iff user in [User{"cook"}, User{"bosun"}, User{"admiral"}, User{"root"}];
  assert allow(User{"sailor"}, "read", Issue{"leak"});
  assert allow(User{"cook"}, "close", Issue{"leak"});
  assert_not allow(User{"cook"}, "read", Issue{"leak"});
  assert_not allow(User{"sailor"}, "close", Issue{"leak"});
}

test "open source" {
  setup { fixture site; is_open_source(Organization{"navy"}); }
  assert allow(_: User, "read", Repository{"ship"});
  assert allow(User{"cook"}, "read", Repository{"ship"});
  assert allow(User{"cook"}, "read", Issue{"leak"});
  assert_not allow(User{"cook"}, "list_issues", Repository{"ship"});
}
