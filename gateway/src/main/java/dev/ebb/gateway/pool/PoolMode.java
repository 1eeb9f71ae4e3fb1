package dev.ebb.gateway.pool;

/** For how long a client is lent a connection. */
public enum PoolMode {
  /** For one transaction. */
  TRANSACTION,
  /** From its first statement until it ends. */
  SESSION
}
