package dev.ebb.launcher.durability;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;

/** What is killed, and at which moment. */
record Strike(Victim victim, Moment moment) {

  /** What gets the SIGKILL. */
  enum Victim {
    POSTMASTER,
    EBB
  }

  /** When it gets it. */
  enum Moment {
    UNDER_LOAD(1),
    IN_CAPTURE(1),
    /** With a snapshot of the running compute to recover from, and some WAL behind it. */
    BEHIND_CAPTURE(1),
    IN_SUSPEND(1),
    /** Under load, and again while what the first one made necessary goes on. */
    IN_RECOVERY(2);

    final int kills;

    Moment(int kills) {
      this.kills = kills;
    }
  }

  /** Ten kills of each victim: eight strikes, of which two kill twice. */
  private static final List<Moment> DECK =
      List.of(
          Moment.UNDER_LOAD,
          Moment.UNDER_LOAD,
          Moment.IN_CAPTURE,
          Moment.IN_CAPTURE,
          Moment.BEHIND_CAPTURE,
          Moment.IN_SUSPEND,
          Moment.IN_RECOVERY,
          Moment.IN_RECOVERY);

  /** Twenty kills, the victims in turn, the moments in an order that the random numbers choose. */
  static List<Strike> twentyKills(Random random) {
    var postmaster = new ArrayList<>(DECK);
    var ebb = new ArrayList<>(DECK);
    Collections.shuffle(postmaster, random);
    Collections.shuffle(ebb, random);
    var strikes = new ArrayList<Strike>();
    for (int i = 0; i < DECK.size(); i++) {
      strikes.add(new Strike(Victim.POSTMASTER, postmaster.get(i)));
      strikes.add(new Strike(Victim.EBB, ebb.get(i)));
    }
    return strikes;
  }

  @Override
  public String toString() {
    return (victim + " " + moment).replace('_', ' ').toLowerCase(java.util.Locale.ROOT);
  }
}
