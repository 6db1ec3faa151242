# Who may view, arm and disarm the security systems of a security company's customers.

# People who work with the systems. The Customer Service owns them and their roles.
actor Employee {}

# An organization that has its locations protected. A role here reaches every location.
resource Customer {
  roles = ["admin", "operator", "viewer"];
  permissions = ["view", "manage"];

  "viewer" if "operator";
  "operator" if "admin";

  "view" if "viewer";
  "manage" if "admin";
}

# A site of a customer. A role here reaches the systems of this site only.
resource Location {
  roles = ["manager", "guard", "viewer"];
  permissions = ["view"];
  relations = { customer: Customer };

  "viewer" if "guard";
  "guard" if "manager";
  "manager" if "admin" on "customer";
  "guard" if "operator" on "customer";
  "viewer" if "viewer" on "customer";

  "view" if "viewer";
}

# The installation at a site. The Security System Service owns it.
resource SecuritySystem {
  permissions = ["view", "arm", "disarm"];
  relations = { location: Location };

  "view" if "viewer" on "location";
  "arm" if "guard" on "location";
  "disarm" if "manager" on "location";
}

# A suspended employee loses everything at once, whatever the roles say.
allow(employee: Employee, action: String, resource: Resource) if
  has_permission(employee, action, resource) and
  not is_suspended(employee);
