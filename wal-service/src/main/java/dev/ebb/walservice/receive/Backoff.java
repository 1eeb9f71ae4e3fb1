package dev.ebb.walservice.receive;

/** Pauses between attempts: each twice as long as the one before, up to a bound. One thread. */
public final class Backoff {
  private final long firstMs;
  private final long maxMs;
  private long nextMs;

  /** The first pause, and the longest one. */
  public Backoff(long firstMs, long maxMs) {
    this.firstMs = firstMs;
    this.maxMs = maxMs;
    this.nextMs = firstMs;
  }

  /** How long to pause now. */
  public long nextMs() {
    long now = nextMs;
    nextMs = Math.min(nextMs * 2, maxMs);
    return now;
  }

  /** It worked: the next pause is the first one again. */
  public void reset() {
    nextMs = firstMs;
  }
}
