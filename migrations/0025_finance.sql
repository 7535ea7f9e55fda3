-- People who read what concerns money, of every organization, and change nothing.
alter table users drop constraint users_platform_role_known;
alter table users add constraint users_platform_role_known check (platform_role in ('finance', 'operator'));
comment on column users.platform_role is 'operator: runs the whole installation (admin routes); finance: reads what concerns money; null: an ordinary person.';
