export type CompletedShell = 'bash' | 'zsh';

/**
 * The scripts ask hoop itself for every word, so that they never grow old and know the resources. What it answers is taken as plain
 * words: `compgen -W` would expand it as the shell does.
 */
const scripts: Record<CompletedShell, string> = {
  bash: `# hoop completion for bash. Put this line into ~/.bashrc:
#   source <(hoop completion bash)
_hoop() {
  COMPREPLY=()
  local word
  while IFS= read -r word; do COMPREPLY+=("$word"); done < <(
    hoop completion words -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null
  )
}
complete -o default -F _hoop hoop
`,
  zsh: `# hoop completion for zsh. Put this line into ~/.zshrc:
#   source <(hoop completion zsh)
(( \${+functions[compdef]} )) || { autoload -Uz compinit && compinit }
_hoop() {
  local -a found
  found=("\${(@f)$(hoop completion words -- "\${(@)words[2,CURRENT]}" 2>/dev/null)}")
  found=(\${found:#})
  (( \${#found} )) && compadd -- "\${found[@]}" || _files
}
compdef _hoop hoop
`,
};

export const completionScript = (shell: CompletedShell): string => scripts[shell];
