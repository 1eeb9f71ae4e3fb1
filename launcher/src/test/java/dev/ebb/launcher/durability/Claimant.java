package dev.ebb.launcher.durability;

import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;

/**
 * A client that inserts one row after the other on a single connection, until that breaks, and
 * remembers when each statement began and whether it was acknowledged.
 */
final class Claimant {
  private final int client;
  private final Callable<Connection> server;
  private final List<Claim> claims = new ArrayList<>();
  private final Thread thread;
  private String end = "";

  /**
   * One statement.
   *
   * @param begunAtNanos as {@link System#nanoTime}
   */
  record Claim(int client, int number, long begunAtNanos, boolean acknowledged) {}

  Claimant(int client, Callable<Connection> server) {
    this.client = client;
    this.server = server;
    this.thread = Thread.ofPlatform().name("claimant-" + client).start(this::run);
  }

  private void run() {
    try (Connection connection = server.call();
        PreparedStatement insert = connection.prepareStatement("INSERT INTO claim VALUES (?, ?)")) {
      insert.setInt(1, client);
      for (int number = 0; ; number++) {
        insert.setInt(2, number);
        long begun = System.nanoTime();
        try {
          insert.executeUpdate();
          add(new Claim(client, number, begun, true));
        } catch (SQLException e) {
          add(new Claim(client, number, begun, false));
          throw e;
        }
      }
    } catch (Exception e) { // any failure to connect or to insert ends it
      end = String.valueOf(e.getMessage());
    }
  }

  private synchronized void add(Claim claim) {
    claims.add(claim);
  }

  synchronized int count() {
    return claims.size();
  }

  /** All statements, once the connection has broken. */
  List<Claim> claims(long boundMs) throws InterruptedException {
    thread.join(boundMs);
    if (thread.isAlive()) {
      throw new AssertionError(
          thread.getName() + " still has its connection after " + count() + " statements");
    }
    synchronized (this) {
      return List.copyOf(claims);
    }
  }

  /** What broke the connection; to be read after {@link #claims}. */
  String end() {
    return end;
  }
}
