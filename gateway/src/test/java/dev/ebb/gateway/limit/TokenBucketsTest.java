package dev.ebb.gateway.limit;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;

class TokenBucketsTest {
  private final AtomicLong nanos = new AtomicLong(Long.MAX_VALUE - 5);
  private final TokenBuckets<String> buckets =
      new TokenBuckets<>(new Rate(10, Duration.ofSeconds(5)), nanos::get);

  @Test
  void bucketGivesItsBurstAndThenItsRate() {
    for (int i = 0; i < 10; i++) {
      assertThat(buckets.tryTake("a")).isTrue();
    }
    assertThat(buckets.tryTake("a")).isFalse();
    assertThat(buckets.tryTake("b")).as("another key's bucket").isTrue();
    nanos.addAndGet(Duration.ofMillis(499).toNanos());
    assertThat(buckets.tryTake("a")).isFalse();
    nanos.addAndGet(Duration.ofMillis(2).toNanos());
    assertThat(buckets.tryTake("a")).isTrue();
    assertThat(buckets.tryTake("a")).isFalse();
  }

  @Test
  void bucketHoldsNoMoreThanItsBurst() {
    assertThat(buckets.tryTake("a")).isTrue();
    assertThat(buckets.isFull("a")).isFalse();
    nanos.addAndGet(Duration.ofHours(1).toNanos());
    assertThat(buckets.isFull("a")).isTrue();
    for (int i = 0; i < 10; i++) {
      assertThat(buckets.tryTake("a")).isTrue();
    }
    assertThat(buckets.tryTake("a")).isFalse();
  }

  @Test
  void whatCannotBeRefusedEmptiesTheBucketAndNoMore() {
    for (int i = 0; i < 1_000; i++) {
      buckets.take("a");
    }
    assertThat(buckets.has("a")).isFalse();
    nanos.addAndGet(Duration.ofMillis(501).toNanos());
    assertThat(buckets.has("a")).isTrue();
  }

  @Test
  void unlimitedIsNeverEmpty() {
    var unlimited = new TokenBuckets<String>(Rate.UNLIMITED, nanos::get);
    for (int i = 0; i < 1_000; i++) {
      assertThat(unlimited.tryTake("a")).isTrue();
    }
    assertThat(unlimited.isFull("a")).isTrue();
  }

  @Test
  void manyKeysAreForgottenOldestFirst() {
    for (int i = 0; i < 10; i++) {
      buckets.take("first");
    }
    for (int i = 0; i < TokenBuckets.MAX_KEYS - 1; i++) {
      buckets.take("key" + i);
    }
    assertThat(buckets.has("first")).isFalse();
    buckets.take("one more");
    buckets.take("and another");
    assertThat(buckets.isFull("key0")).as("used longest ago").isTrue();
  }
}
