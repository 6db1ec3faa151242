# A company wiki: what members may do by default is a setting of each organization,
# and single spaces and pages can be exempted from it.

actor User {}

resource Organization {
  roles = ["admin", "member"];
  permissions = ["read", "change_settings"];

  "member" if "admin";

  "read" if "member";
  "change_settings" if "admin";
}

resource Space {
  roles = ["maintainer", "writer", "reader"];
  permissions = ["read", "write", "rename"];
  relations = { organization: Organization };

  "writer" if "maintainer";
  "reader" if "writer";
  "maintainer" if "admin" on "organization";

  "read" if "reader";
  "write" if "writer";
  "rename" if "maintainer";
}

# The default role: the organization says which role its members have on its spaces.
# Without such a fact they have none. A private space takes no part in it.
has_role(user: User, role: String, space: Space) if
  organization matches Organization and
  has_relation(space, "organization", organization) and
  has_default_role(organization, role) and
  has_role(user, "member", organization) and
  not is_private(space);

resource Page {
  permissions = ["read", "edit", "protect"];
  relations = { space: Space };

  "read" if "read" on "space";
  "protect" if "rename" on "space";
  # A protected page stays in the hands of the maintainers.
  "edit" if "maintainer" on "space";
}

# A toggle: writers edit as long as nobody protects the page.
has_permission(user: User, "edit", page: Page) if
  space matches Space and
  has_relation(page, "space", space) and
  has_role(user, "writer", space) and
  not is_protected(page);

# A toggle that somebody has to switch on: pages are shown to guests only if the
# organization has said so and the page is not protected.
has_permission(_: User, "read", page: Page) if
  space matches Space and
  organization matches Organization and
  has_relation(page, "space", space) and
  has_relation(space, "organization", organization) and
  allows_guests(organization) and
  not is_private(space) and
  not is_protected(page);
