package dev.ebb.gateway.relay;

import static org.assertj.core.api.Assertions.assertThat;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import org.junit.jupiter.api.Test;

final class ClientWalkTest {
  private static ByteBuf messages(String types) {
    ByteBuf bytes = Unpooled.buffer();
    for (int i = 0; i < types.length(); i++) {
      bytes
          .writeByte(types.charAt(i))
          .writeInt(4 + 7)
          .writeBytes(new byte[] {'Q', 'S', 'X', 0, 0, 0, 4});
    }
    return bytes;
  }

  @Test
  void messagesAreCountedWhateverPiecesTheyComeIn() {
    String types = "QPBDESQdddcFS";
    for (int piece = 1; piece < 30; piece++) {
      var walk = new ClientWalk();
      ByteBuf all = messages(types);
      while (all.isReadable()) {
        int bytes = Math.min(piece, all.readableBytes());
        walk.walk(all.readSlice(bytes));
      }
      assertThat(walk.asked()).as("pieces of %d", piece).isEqualTo(5);
      assertThat(walk.isSynced()).isTrue();
      assertThat(walk.saidBye()).isFalse();
    }
  }

  @Test
  void whatIsNotWholeOrNotSyncedIsNotOver() {
    var walk = new ClientWalk();
    walk.walk(messages("QPBE"));
    assertThat(walk.isSynced()).isFalse();
    walk.walk(messages("S"));
    assertThat(walk.isSynced()).isTrue();
    ByteBuf query = messages("Q");
    walk.walk(query.readSlice(3));
    assertThat(walk.isSynced()).isFalse();
    walk.walk(query);
    assertThat(walk.isSynced()).isTrue();
  }

  @Test
  void nonsenseIsNeverOver() {
    var walk = new ClientWalk();
    walk.walk(Unpooled.wrappedBuffer(new byte[] {'Q', 0, 0, 0, 3}));
    walk.walk(messages("S"));
    assertThat(walk.isSynced()).isFalse();
  }

  @Test
  void goodbyesAreHeard() {
    var walk = new ClientWalk();
    walk.walk(Unpooled.wrappedBuffer(new byte[] {'X', 0, 0, 0, 4}));
    assertThat(walk.saidBye()).isTrue();
  }
}
