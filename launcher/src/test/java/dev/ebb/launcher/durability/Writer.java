package dev.ebb.launcher.durability;

import java.sql.Connection;
import java.sql.SQLException;

/** One connection's worth of load, and how to tell from the tables whether all of it is right. */
interface Writer {
  String name();

  /** Makes the tables. */
  void prepare(Connection connection) throws SQLException;

  /**
   * One transaction; what it wrote is acknowledged when this returns.
   *
   * @return whether the connection may be used again
   */
  boolean write(Connection connection) throws SQLException;

  /**
   * Compares the tables with what has been acknowledged.
   *
   * @return how many writes were in doubt until now
   * @throws AssertionError if they disagree
   */
  int verify(Connection connection) throws SQLException;

  /** How many writes have been acknowledged so far. */
  int acknowledged();
}
