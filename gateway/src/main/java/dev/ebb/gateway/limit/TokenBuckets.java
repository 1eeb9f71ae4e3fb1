package dev.ebb.gateway.limit;

import java.util.LinkedHashMap;
import java.util.Map;
import java.util.function.LongSupplier;

/**
 * A token bucket for each key, full at first. Keeps those of the keys that were used last: a bucket
 * that is forgotten is full again. For any thread.
 */
final class TokenBuckets<K> {
  static final int MAX_KEYS = 50_000;

  private final Rate rate;
  private final LongSupplier nanoTime;
  private final Map<K, Bucket> buckets =
      new LinkedHashMap<>(64, 0.75f, true) {
        private static final long serialVersionUID = 1L;

        @Override
        protected boolean removeEldestEntry(Map.Entry<K, Bucket> eldest) {
          return size() > MAX_KEYS;
        }
      };

  private static final class Bucket {
    private double tokens;
    private long atNanos;
  }

  /**
   * @param nanoTime as {@link System#nanoTime}
   */
  TokenBuckets(Rate rate, LongSupplier nanoTime) {
    this.rate = rate;
    this.nanoTime = nanoTime;
  }

  /** Takes a token; false, and takes none, where there is none. */
  synchronized boolean tryTake(K key) {
    if (rate.isUnlimited()) {
      return true;
    }
    Bucket bucket = filled(key);
    if (bucket.tokens < 1) {
      return false;
    }
    bucket.tokens--;
    return true;
  }

  /** Takes a token where there is one: what happened cannot be refused any more. */
  synchronized void take(K key) {
    if (!rate.isUnlimited()) {
      Bucket bucket = filled(key);
      bucket.tokens = Math.max(0, bucket.tokens - 1);
    }
  }

  /** Whether a token could be taken now. */
  synchronized boolean has(K key) {
    return rate.isUnlimited() || !buckets.containsKey(key) || filled(key).tokens >= 1;
  }

  /** Whether nothing was taken, or so long ago that it has filled up again. */
  synchronized boolean isFull(K key) {
    return rate.isUnlimited() || !buckets.containsKey(key) || filled(key).tokens >= rate.count();
  }

  private Bucket filled(K key) {
    long now = nanoTime.getAsLong();
    Bucket bucket = buckets.get(key);
    if (bucket == null) {
      bucket = new Bucket();
      bucket.tokens = rate.count();
      buckets.put(key, bucket);
    } else {
      bucket.tokens =
          Math.min(rate.count(), bucket.tokens + (now - bucket.atNanos) * rate.perNano());
    }
    bucket.atNanos = now;
    return bucket;
  }
}
