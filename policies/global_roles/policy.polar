# A hosting provider: customers run servers, and the provider's own staff helps them.

actor User {}

# What belongs to no single resource: roles on everything, and permissions for the whole site.
global {
  roles = ["operator", "supporter", "auditor"];
  permissions = ["status.publish", "audit_log.read"];

  # An operator can do what a supporter can.
  "supporter" if "operator";

  "status.publish" if "operator";
  "audit_log.read" if "auditor";
}

# A customer of the provider.
resource Tenant {
  roles = ["admin", "viewer"];
  permissions = ["read", "edit", "suspend"];

  "viewer" if "admin";

  "read" if "viewer";
  "edit" if "admin";

  # Staff holds no role on any tenant. The global role is enough.
  "read" if global "supporter";
  "read" if global "auditor";
  "suspend" if global "operator";
}

resource Server {
  permissions = ["read", "reboot", "erase"];
  relations = { tenant: Tenant };

  "read" if "read" on "tenant";
  # Either the tenant's own admin or the provider's support.
  "reboot" if "admin" on "tenant" or global "supporter";
  # Both are needed: an operator erases nothing without an order of the tenant.
  "erase" if global "operator" and is_cancelled(resource);
}

# There is no `allow` here. The built-in ones pass on what `has_permission` grants: with a
# resource, and without one for the permissions of the whole site.
