# Row: parity, groups. A group in a group in a group; membership is handed up, rights are handed down.

actor Person {}
actor Club {}
resource Court {}

belongs(person: Person, club: Club) if is_in(person, club);
belongs(person: Person, club: Club) if
  inner matches Club and is_part_of(inner, club) and belongs(person, inner);
allow(person: Person, "play", court: Court) if
  club matches Club and belongs(person, club) and may_use(club, court);

test "three levels" {
  setup {
    is_in(Person{"kid"}, Club{"juniors"});
    is_part_of(Club{"juniors"}, Club{"tennis"});
    is_part_of(Club{"tennis"}, Club{"union"});
    is_in(Person{"pro"}, Club{"tennis"});
    may_use(Club{"tennis"}, Court{"clay"});
    may_use(Club{"juniors"}, Court{"small"});
    may_use(Club{"union"}, Court{"hall"});
  }
  assert allow(person: Person, "play", Court{"clay"}) iff person in [Person{"kid"}, Person{"pro"}];
  assert allow(Person{"kid"}, "play", Court{"hall"});
  assert allow(Person{"kid"}, "play", Court{"small"});
  assert allow(Person{"pro"}, "play", Court{"clay"});
  assert_not allow(Person{"pro"}, "play", Court{"small"});
  assert_not allow(Person{"stranger"}, "play", Court{"hall"});
}
