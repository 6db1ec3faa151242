# A building full of devices: what is said about a general type holds for every type that extends it.

# People and machines may act. Both are accounts.
actor Account {}
actor Person extends Account {}
actor Robot extends Account {}

resource Device {
  roles = ["technician", "observer"];
  permissions = ["inspect", "restart", "decommission"];

  "observer" if "technician";

  "inspect" if "observer";
  "restart" if "technician";
}

# A camera has the roles, permissions and rules of a device, and some of its own.
resource Camera extends Device {
  permissions = ["watch", "record"];

  "watch" if "observer";
  "record" if "technician";
}

# A camera that can be turned. It is a device, too, over two steps.
resource DomeCamera extends Camera {
  permissions = ["steer"];

  "steer" if "technician";
}

resource DoorLock extends Device {
  permissions = ["unlock"];

  "unlock" if "technician";
}

# `matches` accepts the type and everything that extends it: the patrol robot looks through every camera.
has_permission(robot: Robot, "watch", camera: Camera) if
  is_on_patrol(robot) and
  is_switched_on(camera);

# `matches!` accepts exactly the type. Plain cameras are old and may be thrown away by every
# technician; dome cameras are expensive, and this rule leaves them out.
has_permission(person: Person, "decommission", device: Device) if
  device matches! Camera and
  has_role(person, "technician", device);

# A condition may speak about the more general type: visitors see what is in the lobby.
has_permission(_: Account, "inspect", device: Device) if
  stands_in_lobby(device);
