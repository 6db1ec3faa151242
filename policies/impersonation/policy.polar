# A web shop with a support desk: a supporter may look at the shop through a customer's eyes.

global {
  roles = ["supporter"];
}

actor User {
  permissions = ["impersonate", "read_profile"];

  # Supporters may act as any user, and see every profile.
  "impersonate" if global "supporter";
  "read_profile" if global "supporter";
}

# Everybody sees the own profile.
has_permission(user: User, "read_profile", user: User);

resource Order {
  permissions = ["read", "cancel", "pay"];
  relations = { buyer: User };

  "read" if "buyer";
  "cancel" if "buyer";
  "pay" if "buyer";
}

# As soon as a policy has an `allow` of its own, the built-in one is gone.
# So it is restated here: whoever has the permission is allowed.
allow(user: User, action: String, resource: Resource) if
  has_permission(user, action, resource);

# Who acts as somebody else is allowed what the other one is. Three things are needed:
# the session says so, the permission is still there, and the action is one that is
# harmless in somebody else's name.
allow(user: User, action: String, resource: Resource) if
  other matches User and
  is_impersonating(user, other) and
  has_permission(user, "impersonate", other) and
  has_permission(other, action, resource) and
  is_harmless(action);

is_harmless("read");
is_harmless("read_profile");
is_harmless("cancel");
