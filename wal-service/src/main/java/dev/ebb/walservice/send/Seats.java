package dev.ebb.walservice.send;

import java.util.Comparator;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Semaphore;

/**
 * Who is connected. Those who have logged in have places of their own, so that nobody without the
 * password takes one. Of those who have not, the one that has taken longest goes where there are
 * too many: who has the password is done in no time, who has not would keep others out.
 * Thread-safe.
 */
final class Seats {
  private final int logins;
  private final Set<SenderSession> sessions = ConcurrentHashMap.newKeySet();
  private final Semaphore free;

  /**
   * @param logins how many may be logging in at once
   * @param senders how many may have logged in
   */
  Seats(int logins, int senders) {
    this.logins = logins;
    this.free = new Semaphore(senders);
  }

  /** All of them. */
  Set<SenderSession> all() {
    return sessions;
  }

  /** Takes in one that has said nothing yet; returns whether another one had to go for it. */
  boolean enter(SenderSession session) {
    boolean crowded = false;
    while (sessions.stream().filter(SenderSession::isLoggingIn).count() >= logins) {
      crowded |=
          sessions.stream()
              .filter(SenderSession::isLoggingIn)
              .max(Comparator.comparingLong(SenderSession::loginNanos))
              .map(SenderSession::giveWay)
              .orElse(false);
    }
    sessions.add(session);
    return crowded;
  }

  /** Gives one that has logged in its place; false where there is none. */
  boolean admit() {
    return free.tryAcquire();
  }

  /**
   * It has ended.
   *
   * @param admitted whether it had got its place
   */
  void leave(SenderSession session, boolean admitted) {
    if (admitted) {
      free.release();
    }
    sessions.remove(session);
  }
}
