package dev.ebb.gateway.fuzz;

import io.vertx.core.buffer.Buffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;

/** Breaks messages. */
final class Mutation {
  private Mutation() {}

  /** Up to three things done to a list of messages; often nothing. */
  static byte[] broken(Random random, List<byte[]> messages) {
    var all = new ArrayList<>(messages);
    for (int i = random.nextInt(4); i > 0 && !all.isEmpty(); i--) {
      breakOne(random, all);
    }
    Buffer out = Buffer.buffer();
    all.forEach(out::appendBytes);
    return out.getBytes();
  }

  private static void breakOne(Random random, List<byte[]> all) {
    int at = random.nextInt(all.size());
    byte[] message = all.get(at).clone();
    switch (random.nextInt(9)) {
      case 0 -> all.set(at, flipped(random, message));
      case 1 -> all.set(at, Arrays.copyOf(message, random.nextInt(message.length + 1)));
      case 2 -> all.add(at, message);
      case 3 -> all.remove(at);
      case 4 -> all.add(random.nextInt(all.size()), all.remove(at));
      case 5 -> all.set(at, spliced(random, message, all.get(random.nextInt(all.size()))));
      case 6 -> all.set(at, withLength(random, message));
      case 7 -> all.set(at, withType(random, message));
      default -> all.add(at, Scenario.bytes(random, 1 + random.nextInt(40)));
    }
  }

  private static byte[] flipped(Random random, byte[] message) {
    for (int i = random.nextInt(4); i >= 0 && message.length > 0; i--) {
      message[random.nextInt(message.length)] ^= (byte) (1 << random.nextInt(8));
    }
    return message;
  }

  private static byte[] spliced(Random random, byte[] into, byte[] from) {
    int cut = random.nextInt(into.length + 1);
    int begin = random.nextInt(from.length + 1);
    return Buffer.buffer()
        .appendBytes(into, 0, cut)
        .appendBytes(from, begin, from.length - begin)
        .getBytes();
  }

  private static byte[] withLength(Random random, byte[] message) {
    if (message.length < 5) {
      return message;
    }
    int length = message.length - 1;
    int other =
        switch (random.nextInt(6)) {
          case 0 -> random.nextInt(5);
          case 1 -> -1 - random.nextInt(1 << 20);
          case 2 -> Integer.MAX_VALUE - random.nextInt(3);
          case 3 -> length + 1 + random.nextInt(40);
          case 4 -> Math.max(0, length - 1 - random.nextInt(8));
          default -> 1 << random.nextInt(31);
        };
    return Buffer.buffer(message).setInt(1, other).getBytes();
  }

  private static byte[] withType(Random random, byte[] message) {
    if (message.length > 0) {
      message[0] =
          random.nextBoolean()
              ? (byte) random.nextInt(256)
              : (byte) "QPBDECSHFdcfXp".charAt(random.nextInt(14));
    }
    return message;
  }
}
