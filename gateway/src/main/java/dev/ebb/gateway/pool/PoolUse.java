package dev.ebb.gateway.pool;

/** How much of some pools is in use. */
record PoolUse(int clients, int waiting, int active, int idle, int opening) {
  static final PoolUse NONE = new PoolUse(0, 0, 0, 0, 0);

  static PoolUse of(PoolInfo pool) {
    int active = pool.active();
    return new PoolUse(
        pool.clients(), pool.waiting(), active, pool.servers().size() - active, pool.opening());
  }

  PoolUse plus(PoolUse other) {
    return new PoolUse(
        clients + other.clients,
        waiting + other.waiting,
        active + other.active,
        idle + other.idle,
        opening + other.opening);
  }
}
