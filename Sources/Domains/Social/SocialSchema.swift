import Storage

/// The tables of the social domain.
enum SocialSchema {
  static let migrations = [
    Migration(
      "social", 1, "follows, blocks, mutes, restrictions, counters",
      sql: """
        -- state is 1 for a request, 2 for a follow. id is when in the order of all it was asked for.
        -- distributed by follower_id
        CREATE TABLE social_follows (
          follower_id INTEGER NOT NULL,
          target_id INTEGER NOT NULL,
          target_kind TEXT NOT NULL,
          id INTEGER NOT NULL,
          state INTEGER NOT NULL,
          created_at INTEGER NOT NULL,
          PRIMARY KEY (follower_id, target_id)
        ) WITHOUT ROWID;
        CREATE INDEX social_follows_made ON social_follows (follower_id, state, id);
        CREATE INDEX social_follows_target ON social_follows (target_id, state, id);
        CREATE INDEX social_follows_audience ON social_follows (target_id, state, follower_id);

        -- What user_id wants nothing of: kind is 1 for a block, 2 for a mute.
        -- distributed by user_id
        CREATE TABLE social_barriers (
          user_id INTEGER NOT NULL,
          other_id INTEGER NOT NULL,
          kind INTEGER NOT NULL,
          id INTEGER NOT NULL,
          created_at INTEGER NOT NULL,
          PRIMARY KEY (user_id, other_id, kind)
        ) WITHOUT ROWID;
        CREATE INDEX social_barriers_made ON social_barriers (user_id, kind, id);
        CREATE INDEX social_barriers_other ON social_barriers (other_id);

        -- Who may not post, until when.
        -- distributed by user_id
        CREATE TABLE social_restrictions (
          user_id INTEGER PRIMARY KEY,
          until INTEGER NOT NULL,
          made_by INTEGER NOT NULL,
          created_at INTEGER NOT NULL
        );

        -- How much of a day's quota is used. day counts from 1970-01-01 UTC.
        -- distributed by user_id
        CREATE TABLE social_quotas (
          user_id INTEGER NOT NULL,
          quota TEXT NOT NULL,
          day INTEGER NOT NULL,
          used INTEGER NOT NULL,
          PRIMARY KEY (user_id, quota)
        ) WITHOUT ROWID;

        -- The value of a counter is the sum of its parts.
        -- distributed by subject_id
        CREATE TABLE social_counters (
          subject_id INTEGER NOT NULL,
          counter TEXT NOT NULL,
          part INTEGER NOT NULL,
          subject_kind TEXT NOT NULL,
          value INTEGER NOT NULL,
          PRIMARY KEY (subject_id, counter, part)
        ) WITHOUT ROWID;

        -- What is held by transactions that must come one after the other.
        -- local: a thousand rows without content
        CREATE TABLE social_turns (
          number INTEGER PRIMARY KEY
        );
        """),
    Migration(
      "social", 2, "reactions, comments, links",
      sql: """
        -- kind is 1 for a like, 2 for an emoji, 3 for what is kept. id is when in the order of all it was set.
        -- distributed by user_id
        CREATE TABLE social_reactions (
          user_id INTEGER NOT NULL,
          subject_id INTEGER NOT NULL,
          kind INTEGER NOT NULL,
          subject_kind TEXT NOT NULL,
          emoji TEXT NOT NULL,
          id INTEGER NOT NULL,
          created_at INTEGER NOT NULL,
          PRIMARY KEY (user_id, subject_id, kind)
        ) WITHOUT ROWID;
        CREATE INDEX social_reactions_made ON social_reactions (user_id, kind, id);
        CREATE INDEX social_reactions_sort ON social_reactions (user_id, kind, subject_kind, id);

        -- parent_id is 0 for what stands for itself. author_id is 0 once the author is erased. state is 1 visible, 2 held,
        -- 3 removed, 4 deleted. Who is named is in social_mentions alone: the text has an @ in the handle's place.
        -- distributed by subject_id
        CREATE TABLE social_comments (
          subject_id INTEGER NOT NULL,
          parent_id INTEGER NOT NULL,
          id INTEGER NOT NULL,
          subject_kind TEXT NOT NULL,
          author_id INTEGER NOT NULL,
          replied_to INTEGER,
          text TEXT NOT NULL,
          state INTEGER NOT NULL,
          score INTEGER NOT NULL,
          version INTEGER NOT NULL,
          created_at INTEGER NOT NULL,
          edited_at INTEGER,
          PRIMARY KEY (subject_id, parent_id, id)
        ) WITHOUT ROWID;
        CREATE INDEX social_comments_id ON social_comments (id);
        CREATE INDEX social_comments_author ON social_comments (author_id, id);

        -- position is that of the @, in code points.
        -- distributed by comment_id
        CREATE TABLE social_mentions (
          comment_id INTEGER NOT NULL,
          position INTEGER NOT NULL,
          user_id INTEGER NOT NULL,
          PRIMARY KEY (comment_id, position)
        ) WITHOUT ROWID;
        CREATE INDEX social_mentions_user ON social_mentions (user_id);

        -- distributed by maker_id
        CREATE TABLE social_links (
          maker_id INTEGER NOT NULL,
          id INTEGER NOT NULL,
          subject_kind TEXT NOT NULL,
          subject_id INTEGER NOT NULL,
          created_at INTEGER NOT NULL,
          revoked_at INTEGER,
          PRIMARY KEY (maker_id, id)
        ) WITHOUT ROWID;
        CREATE UNIQUE INDEX social_links_live ON social_links (maker_id, subject_id) WHERE revoked_at IS NULL;
        CREATE INDEX social_links_id ON social_links (id);

        -- Who has followed a link.
        -- distributed by link_id
        CREATE TABLE social_link_uses (
          link_id INTEGER NOT NULL,
          user_id INTEGER NOT NULL,
          used_at INTEGER NOT NULL,
          PRIMARY KEY (link_id, user_id)
        ) WITHOUT ROWID;
        CREATE INDEX social_link_uses_user ON social_link_uses (user_id);
        """),
    Migration(
      "social", 3, "reports, decisions, word lists",
      sql: """
        -- reporter_id is 0 for a program. rank is the negative score: the queue begins with the lowest. decision_id is the
        -- first decision, which reports on one thing may share.
        -- distributed by target_id
        CREATE TABLE social_reports (
          target_id INTEGER NOT NULL,
          id INTEGER NOT NULL,
          target_kind TEXT NOT NULL,
          reporter_id INTEGER NOT NULL,
          owner_id INTEGER,
          policy INTEGER NOT NULL,
          text TEXT NOT NULL,
          rank INTEGER NOT NULL,
          state INTEGER NOT NULL,
          taken_by INTEGER,
          decision_id INTEGER,
          appeal_text TEXT NOT NULL,
          appealed_by INTEGER,
          created_at INTEGER NOT NULL,
          PRIMARY KEY (target_id, id)
        ) WITHOUT ROWID;
        CREATE UNIQUE INDEX social_reports_open ON social_reports (target_id, reporter_id) WHERE state IN (1, 2);
        CREATE INDEX social_reports_id ON social_reports (id);
        CREATE INDEX social_reports_queue ON social_reports (state, rank, id);
        CREATE INDEX social_reports_reporter ON social_reports (reporter_id, id);
        CREATE INDEX social_reports_owner ON social_reports (owner_id, id);

        -- Never changed. appealed_id is the decision that one on an appeal judges.
        -- distributed by target_id
        CREATE TABLE social_decisions (
          target_id INTEGER NOT NULL,
          id INTEGER NOT NULL,
          target_kind TEXT NOT NULL,
          report_id INTEGER NOT NULL,
          verdict INTEGER NOT NULL,
          measure INTEGER NOT NULL,
          policy INTEGER NOT NULL,
          author_id INTEGER NOT NULL,
          note TEXT NOT NULL,
          created_at INTEGER NOT NULL,
          appealed_id INTEGER,
          PRIMARY KEY (target_id, id)
        ) WITHOUT ROWID;
        CREATE INDEX social_decisions_id ON social_decisions (id);

        -- The moderators' words of a language: an encoded WordList.
        -- reference: few rows, which every node keeps in memory
        CREATE TABLE social_word_lists (
          language TEXT NOT NULL,
          content BLOB NOT NULL,
          word_count INTEGER NOT NULL,
          version INTEGER NOT NULL,
          changed_at INTEGER NOT NULL,
          changed_by INTEGER NOT NULL,
          PRIMARY KEY (language)
        ) WITHOUT ROWID;
        """),
    Migration(
      "social", 4, "reviews",
      sql: """
        -- key is what author and thing had to do with each other. author_id is 0 once the author is erased. Aspects are one
        -- line each. state is 1 visible, 2 blind, 3 held, 4 removed, 5 deleted.
        -- distributed by subject_id
        CREATE TABLE social_reviews (
          subject_id INTEGER NOT NULL,
          id INTEGER NOT NULL,
          subject_kind TEXT NOT NULL,
          key_id INTEGER NOT NULL,
          key_kind TEXT NOT NULL,
          author_id INTEGER NOT NULL,
          lowest INTEGER NOT NULL,
          highest INTEGER NOT NULL,
          aspect_names TEXT NOT NULL,
          score INTEGER NOT NULL,
          aspects TEXT NOT NULL,
          text TEXT NOT NULL,
          state INTEGER NOT NULL,
          blind_until INTEGER,
          editable_until INTEGER NOT NULL,
          version INTEGER NOT NULL,
          created_at INTEGER NOT NULL,
          edited_at INTEGER,
          PRIMARY KEY (subject_id, id)
        ) WITHOUT ROWID;
        CREATE UNIQUE INDEX social_reviews_one ON social_reviews (subject_id, key_id, author_id) WHERE state <> 5;
        CREATE INDEX social_reviews_id ON social_reviews (id);
        CREATE INDEX social_reviews_key ON social_reviews (key_id);
        CREATE INDEX social_reviews_author ON social_reviews (author_id, id);
        CREATE INDEX social_reviews_shown ON social_reviews (subject_id, state, id);
        """),
    Migration(
      "social", 5, "what is found by its words",
      sql: """
        -- Whether everybody could see the thing when that was looked at last.
        ALTER TABLE social_comments ADD COLUMN is_open INTEGER NOT NULL DEFAULT 0;
        ALTER TABLE social_reviews ADD COLUMN is_open INTEGER NOT NULL DEFAULT 0;
        CREATE INDEX social_comments_open ON social_comments (subject_id, is_open, id);
        CREATE INDEX social_reviews_open ON social_reviews (subject_id, is_open, id);
        """),
    Migration(
      "social", 6, "reactions and links by what they are about",
      sql: """
        CREATE INDEX IF NOT EXISTS social_reactions_subject ON social_reactions (subject_id, kind, user_id);
        CREATE INDEX IF NOT EXISTS social_links_subject ON social_links (subject_id, id);
        """),
    Migration(
      "social", 7, "restrictions by their decisions",
      sql: """
        -- Who may not post by which decision, until when. The one of a user that ends last is in social_restrictions as well.
        -- distributed by user_id
        CREATE TABLE social_restraints (
          user_id INTEGER NOT NULL,
          decision_id INTEGER NOT NULL,
          until INTEGER NOT NULL,
          made_by INTEGER NOT NULL,
          created_at INTEGER NOT NULL,
          PRIMARY KEY (user_id, decision_id)
        ) WITHOUT ROWID;
        INSERT INTO social_restraints (user_id, decision_id, until, made_by, created_at)
          SELECT r.user_id, MAX(d.id), r.until, r.made_by, r.created_at
          FROM social_restrictions r
          JOIN social_decisions d ON d.author_id = r.made_by AND d.created_at = r.created_at AND d.measure = 3
          GROUP BY r.user_id, r.until, r.made_by, r.created_at;
        """),
  ]
}
